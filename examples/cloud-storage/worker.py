"""Writes an object and reads it back, in each cloud with the cloud's own SDK.

There is no key and no address in here: the SDKs find the identity of the pod by themselves, and the functions
are the same on every cluster. `pyproc auth doctor` says what is wrong when they do not.

Each function imports its own SDK, so that the one of your cloud is all that has to be installed.
"""

# ruff: noqa: PLC0415

from pyproc_worker import expose, run_worker


@expose
def aws(bucket: str, name: str, text: str) -> str:
    """S3, with boto3."""
    import boto3

    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key=name, Body=text.encode())
    return s3.get_object(Bucket=bucket, Key=name)["Body"].read().decode()


@expose
def google(bucket: str, name: str, text: str) -> str:
    """Cloud Storage, with google-cloud-storage."""
    from google.cloud import storage

    blob = storage.Client().bucket(bucket).blob(name)
    blob.upload_from_string(text)
    return blob.download_as_text()


@expose
def azure(account: str, container: str, name: str, text: str) -> str:
    """Blob Storage, with azure-storage-blob and azure-identity."""
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobServiceClient

    with (
        DefaultAzureCredential() as credential,
        BlobServiceClient(f"https://{account}.blob.core.windows.net", credential) as service,
    ):
        blob = service.get_blob_client(container, name)
        blob.upload_blob(text, overwrite=True)
        return blob.download_blob().readall().decode()


if __name__ == "__main__":
    run_worker()
