"""The other side of a cloud identity: servers that check what the clouds check and refuse in their words.

Whom they trust is a parameter (an issuer's name and its keys), so that tokens may come from a key of the test's
own or from a Kubernetes API server.
"""
