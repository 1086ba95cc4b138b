"""Runs every check of scim2-tester against a server, and fails when one finds something wrong.

The address, the token and the certificate authority come by the environment.
"""

import os
import ssl
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

client = Client(
    base_url=os.environ["SCIM_URL"],
    headers={"Authorization": "Bearer " + os.environ["SCIM_TOKEN"]},
    verify=ssl.create_default_context(cafile=os.environ["SCIM_AUTHORITY"]),
    trust_env=False,
)
results = check_server(SyncSCIMClient(client))
wrong = [result for result in results if result.status in (Status.ERROR, Status.CRITICAL)]
for result in wrong:
    print(f"{result.status.name} {result.title} ({result.resource_type}): {result.reason} {result.data!r:.2000}")
print(f"{len(results)} checks, {len(wrong)} wrong")
sys.exit(1 if wrong or len(results) < 40 else 0)
