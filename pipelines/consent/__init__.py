"""Consent withdrawn: tombstones that outlive a backup, erasure from every place within reach, and its proof.

A tombstone is written before anything is erased, so that whatever is cut off is finished by the next command.
"""

from typing import TYPE_CHECKING

from pipelines.consent.tombstones import Tombstones

if TYPE_CHECKING:
    from pipelines.installation import Installation


def enforce(installation: "Installation") -> None:
    """Finish a withdrawal that was cut off, and erase again whoever came back with a restored copy."""
    if Tombstones(installation.settings.consent_folder).all:
        from pipelines.consent.withdrawal import carry_out

        carry_out(installation)
