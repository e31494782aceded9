"""The console: pages of the server for whoever prefers a browser; no script, no other host.

request    routes.py     one route a page; visits.py: session -> who, token of the form, roles.py -> may
  -> page  asking_pages.py, overview_pages.py, ..._pages.py   the endpoints' own functions, called with the page's asker
  -> html  pages/*.html.j2, drawing.py, figures.py   every word escaped; bars and lines as SVG; numbers as words
  -> file  exporting.py   rows of the ledger as CSV, JSON, Parquet
sessions   sessions.py   random ids, kept as hashes; they end, and end with their key
"""
