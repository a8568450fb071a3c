"""What Spark, Hadoop and Delta must be told of an object store. Secrets are Hadoop options that Spark blots out of its logs."""

from store.sections.storage import Storage

ABORTABLE = "org.apache.spark.internal.io.cloud.AbortableStreamBasedCheckpointFileManager"
# Where nothing is given: variables, a pod's projected token, then the machine's or container's role.
CHAIN = (
    "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider,"
    "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider,"
    "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider"
)
GIVEN = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
# Spark's own pattern knows no `account.key`.
SECRETS = "(?i)secret|password|token|access[.]?key|account[.]key"


def options(storage: Storage) -> dict[str, str]:
    """Spark's options for the store; none where everything lies on this machine's disk."""
    if not storage.scheme:
        return {}
    of_store = {"s3a": _s3, "abfss": _azure, "gs": _google}[storage.scheme](storage)
    return {"spark.redaction.regex": SECRETS, "spark.sql.streaming.checkpoint.fileChecksum.enabled": "false"} | of_store


def _s3(storage: Storage) -> dict[str, str]:
    """A checkpoint file appears when its upload is completed, and never when it is aborted: S3 has no rename to do it by."""
    s3 = "spark.hadoop.fs.s3a"
    told = {
        f"{s3}.aws.credentials.provider": CHAIN,
        f"{s3}.path.style.access": str(storage.path_style).lower(),
        f"{s3}.input.stream.type": "classic",  # the other kind wants a further library
        f"{s3}.fast.upload.buffer": "bytebuffer",  # nothing on disk: executors may have a read-only one
        "spark.sql.streaming.checkpointFileManagerClass": ABORTABLE,
    }
    if storage.access_key is not None and storage.secret_key is not None:
        told[f"{s3}.aws.credentials.provider"] = GIVEN
        told[f"{s3}.access.key"] = storage.access_key.get_secret_value()
        told[f"{s3}.secret.key"] = storage.secret_key.get_secret_value()
    if storage.endpoint:
        told[f"{s3}.endpoint"] = storage.endpoint
        told[f"{s3}.connection.ssl.enabled"] = str(storage.endpoint.startswith("https://")).lower()
    region = storage.region or ("us-east-1" if storage.endpoint else "")
    return told | ({f"{s3}.endpoint.region": region} if region else {})


def _azure(storage: Storage) -> dict[str, str]:
    """Renames are atomic in an account with a hierarchical namespace, so that Spark's own way of checkpoints is right there."""
    azure = "spark.hadoop.fs.azure"
    if storage.secret_key is None:
        oauth = f"{azure}.account.oauth2"
        return {
            f"{azure}.account.auth.type": "OAuth",
            f"{azure}.account.oauth.provider.type": "org.apache.hadoop.fs.azurebfs.oauth2.WorkloadIdentityTokenProvider",
            # Hadoop itself fills these in, on each machine, from what Azure's webhook gives a pod
            f"{oauth}.msi.tenant": "${env.AZURE_TENANT_ID}",
            f"{oauth}.client.id": "${env.AZURE_CLIENT_ID}",
            f"{oauth}.token.file": "${env.AZURE_FEDERATED_TOKEN_FILE}",
        }
    account = (storage.root or storage.landing).partition("@")[2].partition("/")[0]
    return {f"{azure}.account.auth.type": "SharedKey", f"{azure}.account.key.{account}": storage.secret_key.get_secret_value()}


def _google(storage: Storage) -> dict[str, str]:
    google = "spark.hadoop.fs.gs"
    if storage.key_file is None:
        return {f"{google}.auth.type": "APPLICATION_DEFAULT"}
    return {f"{google}.auth.type": "SERVICE_ACCOUNT_JSON_KEYFILE",
            f"{google}.auth.service.account.json.keyfile": str(storage.key_file)}  # fmt: skip
