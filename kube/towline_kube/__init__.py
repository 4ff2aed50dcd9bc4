"""Talking to a Kubernetes API server: client, cache, queue, controller, events."""

from towline_kube.backoff import Backoff
from towline_kube.cache import Cache, NotInCache
from towline_kube.controller import DONE, Controller, Result
from towline_kube.events import EventRecorder, EventType
from towline_kube.log_context import ContextFilter, log_context
from towline_kube.queue import KeyedQueue
from towline_kube.store import Change, ChangeType

__all__ = [
    "DONE",
    "Backoff",
    "Cache",
    "Change",
    "ChangeType",
    "ContextFilter",
    "Controller",
    "EventRecorder",
    "EventType",
    "KeyedQueue",
    "NotInCache",
    "Result",
    "log_context",
]
