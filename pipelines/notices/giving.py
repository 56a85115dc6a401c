"""Gives a notice to every channel, and whatever waits from before."""

from collections import Counter

from pipelines.installation import Installation
from pipelines.notices.channels import Channel, NotTold, attempt, channels
from pipelines.notices.notice import Notice
from pipelines.notices.outbox import Letter, Outbox, Taken

# One call tries so many notices by a channel; what is left waits for the next.
LETTERS_AT_ONCE = 20
# For how long another process that gives notices is waited for: it may be stopped, or its channels slow.
WAIT_S = 60.0
TAKEN = "A notice could not be given yet: another process is at it, or was stopped while it was. It is given with the next one."
UNREADABLE = (
    "Notices that cannot be read, told to nobody and set aside in `notices/unreadable` of the state folder: {}."
)


def give(installation: Installation, notice: Notice, wait_s: float = WAIT_S) -> list[str]:
    """Hand a notice to every configured channel, and say in words which could not be reached.

    The same notice twice is told once. What could not be sent is sent at the next call, after that one's own; a notice that cannot
    be read is set aside. Never raises for a channel, nor for a disk that takes no more, beside which it is sent all the same. Waits
    for another process no longer than `wait_s`.
    """
    settings = installation.settings
    outbox = Outbox(settings.notices_folder)
    try:
        try:
            with outbox.alone(wait_s):
                # First of all: it may be this very notice.
                damaged = outbox.set_aside()
                outbox.put(notice)
                return [*([UNREADABLE.format(damaged)] if damaged else []), *_send(outbox, channels(settings), notice)]
        except Taken:
            outbox.put(notice)
            return [TAKEN]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"A notice could not be put on disk ({type(error).__name__}).", *_tell(notice, channels(settings))]


def _tell(notice: Notice, declared: list[Channel]) -> list[str]:
    """Tell every channel without a word of it on disk: better told twice than never; in sentences, who was not."""
    untold = []
    for channel in declared:
        try:
            attempt(channel, lambda channel=channel: channel.send(notice))  # type: ignore[misc]
        except NotTold as error:
            untold.append(f"Nor could it be given by {channel.name}: {error}. Nothing keeps it for later.")
    return untold


def _send(outbox: Outbox, declared: list[Channel], given: Notice) -> list[str]:
    """Send the notice that is given, then what waits; in sentences, what could not be sent.

    A channel that fails is left alone, unless it took another notice before: it is up, and would not have that one.
    """
    failed: dict[str, str] = {}
    tried, is_up = Counter[str](), set[str]()
    for letter in sorted(outbox.letters(), key=lambda letter: letter.notice.key != given.key):
        told = letter.told
        for channel in declared:
            is_left_alone = channel.name in failed and channel.name not in is_up
            if channel.name in told or is_left_alone or tried[channel.name] >= LETTERS_AT_ONCE:
                continue
            tried[channel.name] += 1
            try:
                attempt(channel, lambda channel=channel, letter=letter: channel.send(letter.notice))  # type: ignore[misc]
            except NotTold as error:
                failed[channel.name] = str(error)
                continue
            is_up.add(channel.name)
            told = (*told, channel.name)
            outbox.keep(Letter(letter.notice, told))
        if {channel.name for channel in declared} <= set(told):
            outbox.done(Letter(letter.notice, told))
    return [
        f"A notice could not be given by {name}: {why}. It is given with the next one." for name, why in failed.items()
    ]
