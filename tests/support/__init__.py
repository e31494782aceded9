"""What tests share: worlds, oracles that say what must be right, generators, and processes that are killed.

A test file keeps to itself what it alone needs. Where what stands (a test holds that nothing is left out):

    the run of all tests      kept_heap  no_skips  one_worker  quick  slowest_first  told
    for any test              patience  planted  ports  cached_in  tree
    small worlds              worlds  attack_catalog  calibrated  mibici  blank_ledger
    SQL as data               sql_cases  sql_snapshots  refused  refusal_sites  statement_outcome  marked  analysts
    expressions one by one    conformance  form_samples  two_parsers  broken_sql
    plain DuckDB's answers    oracle  exact  lifted  plain  comparison  spoilt
    generated questions       drawn  chained_questions  sql_data  sql_declared  sql_grammar  sql_sets  sql_sources  sql_terms  sql_windows
    the grey box              greybox  greybox_*  passes  norms_pressed
    databases of extremes     extreme_statistics
    windows of one person     window_worlds  window_admission  window_questions
    two worlds                two_worlds  http_worlds  door_worlds  drawn_worlds  newer_worlds  attack_neighbours
    noise and its laws        samples  statistics  noised  forked
    people's rows in a lake   lake  on_lake  on_spark  spark_cluster  unread_rows
    stores of a ledger        ledger_on_disk  postgres  ledger_contents
    deaths and power cuts     disk  power  dying  dying_*  killed  killing  in_flight
    servers and who asks      serving  visiting  browsing  sinks  object_store
"""
