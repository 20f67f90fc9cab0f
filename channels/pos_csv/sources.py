"""Which source the settings name. Each needs a package of its own, which is loaded only here."""

from __future__ import annotations

from channels.errors import Rejected
from channels.pos_csv.fetching import Source
from channels.pos_csv.places import PlaceSettings


def source_of(channel: str, settings: PlaceSettings) -> Source:
    """The place that files are fetched from.

    Raises:
        Rejected: its package is not installed.
    """
    extra, package = ("sftp", "paramiko") if settings.sftp_host else ("s3", "boto3")
    try:
        if settings.sftp_host:
            from channels.pos_csv.sftp import SftpSource  # paramiko is an extra

            return SftpSource(channel, settings)
        from channels.pos_csv.s3 import S3Source  # boto3 is an extra

        return S3Source(channel, settings)
    except ImportError as error:
        words = f"files are to be fetched by {extra}, and {package} is not installed"
        raise Rejected(channel, "fetch files", words, advice=f"Install inventory-sync[{extra}].") from error
