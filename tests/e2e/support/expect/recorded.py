"""What has reached a server in Google's place."""

import json

from support.wire.bodies import BodyRecorder


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def nothing_whole(recorder: BodyRecorder) -> bool:
    """Whether no request came whole, nor the text of one."""
    return not any(request.is_whole or is_json(request.body) for request in recorder.requests)
