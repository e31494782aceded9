"""The web console for admins, auditors, stewards and analysts.

Sessions and forms -> pages.

Modules, each before those that import it:

    drawing, sessions, admin, analyst, routes.
"""
