"""Exit with 0 while this container's server answers at /healthz, with TLS or without: also while data are copied."""

import http.client
import os
import ssl

PORT = int(os.environ.get("PASSERSBY_SERVER_PORT", "8021"))
PATIENCE = 4.0  # seconds

anyone = ssl.create_default_context()
anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE  # it is named after what others call this host

for line in (
    http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE),
    http.client.HTTPSConnection("127.0.0.1", PORT, timeout=PATIENCE, context=anyone),
):
    try:
        line.request("GET", "/healthz")
        if line.getresponse().status == http.HTTPStatus.OK:
            raise SystemExit(0)
    except (OSError, http.client.HTTPException):
        continue  # the other way, or nobody is there
raise SystemExit(1)
