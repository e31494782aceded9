"""Shared test helpers: fixture databases, oracles, generators, neighbouring databases, crash tests, servers.

Helpers used by one test file stay in it. Modules by purpose (a test checks that the list is complete):

    the run of all tests      kept_heap  no_skips  one_worker  quick  slowest_first  told
    for any test              patience  planted  ports  cached_in  tree
    small worlds              worlds  attack_catalog  calibrated  mibici  blank_ledger
    SQL as data               sql_cases  sql_snapshots  refused  refusal_sites  statement_outcome  marked  analysts
    expressions one by one    conformance  form_samples  two_parsers  broken_sql
    plain DuckDB's answers    oracle  exact  lifted  plain  comparison  spoilt
    generated queries         drawn  chained_questions  sql_data  sql_declared  sql_grammar  sql_sets  sql_sources
                              sql_terms  sql_windows
    grey-box sensitivity      greybox  greybox_*  passes  norms_pressed
    databases of extremes     extreme_statistics
    privacy windows           window_worlds  window_admission  window_questions
    neighbouring databases    two_worlds  http_worlds  door_worlds  drawn_worlds  newer_worlds  attack_neighbours
    noise distributions       samples  statistics  noised  forked
    Spark and data lakes      lake  on_lake  on_spark  spark_cluster  unread_rows
    ledger stores             ledger_on_disk  postgres  ledger_contents
    crashes and power cuts    disk  power  dying  dying_*  killed  killing  in_flight
    servers and clients       serving  visiting  browsing  sinks  object_store
"""
