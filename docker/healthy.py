"""Health check of the container: exit status 0 when the gateway in it takes evidence and keeps it.

It asks `/readyz` on the loopback, where the gateway tells anybody `ready` or `not ready`; over TLS when the console has a certificate.
The certificate is not checked: it names the machine, not the loopback, and nobody else can stand there.
"""

import os
import ssl
import sys
import urllib.error
import urllib.request


def main() -> int:
    """0: ready; 1: not, and why on standard output."""
    port = os.environ.get("LAMPLIGHTER_PORT", "8443")
    scheme = "https" if os.environ.get("LAMPLIGHTER_TLS_CERT") else "http"
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with direct.open(f"{scheme}://127.0.0.1:{port}/readyz", timeout=4) as answer:
            print(answer.read(200).decode().strip())
    except urllib.error.HTTPError as error:
        print(error.read(200).decode().strip())
        return 1
    except OSError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
