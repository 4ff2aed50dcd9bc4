"""Reading Kubernetes' protobuf: the format in which some of kubectl's commands send objects.

Answers are written as JSON, which every such client takes as well.
"""

from towline_sandbox.embedded.protobuf.decoding import PROTOBUF, decode_object

__all__ = ["PROTOBUF", "decode_object"]
