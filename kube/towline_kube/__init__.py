"""Talking to a Kubernetes API server: client, cache, queue, controller, events.

Settings of programs (`towline_kube.settings`) are not imported from here: they bring pydantic with
them, a tenth of a second that only a program's own start need spend.
"""

from towline_kube.access import ResourceAttributes, UserInfo
from towline_kube.backoff import Backoff
from towline_kube.cache import Cache, NotInCache
from towline_kube.client import Call, Client, ObjectList, PatchType, Propagation
from towline_kube.clock import SYSTEM_CLOCK, Clock, SystemClock
from towline_kube.connection import Connection
from towline_kube.controller import DONE, Controller, Result
from towline_kube.discovery import discover_connection, in_cluster_connection, load_kubeconfig
from towline_kube.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    MethodNotAllowed,
    NamespaceTerminating,
    NotFound,
    NotServed,
    ServerError,
    Throttled,
    TooLarge,
    Unauthorized,
    Unreachable,
    UntrustedServer,
)
from towline_kube.events import EventRecorder, EventType
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.kubeconfig_writing import embed_kubeconfig, format_kubeconfig
from towline_kube.log_context import ContextFilter, log_context
from towline_kube.logs import LogFormat, LogLevel, configure_logging
from towline_kube.merge_patch import is_applied, merge_patch
from towline_kube.queue import KeyedQueue
from towline_kube.retries import RetryPolicy
from towline_kube.store import Change, ChangeType
from towline_kube.watch import WatchEvent, WatchEventType

__all__ = [
    "DONE",
    "SYSTEM_CLOCK",
    "AlreadyExists",
    "ApiError",
    "Backoff",
    "BadRequest",
    "Cache",
    "Call",
    "Change",
    "ChangeType",
    "Client",
    "Clock",
    "Conflict",
    "Connection",
    "ContextFilter",
    "Controller",
    "EventRecorder",
    "EventType",
    "Forbidden",
    "Gone",
    "Invalid",
    "KeyedQueue",
    "LogFormat",
    "LogLevel",
    "MethodNotAllowed",
    "NamespaceTerminating",
    "NotFound",
    "NotInCache",
    "NotServed",
    "ObjectList",
    "PatchType",
    "Propagation",
    "ResourceAttributes",
    "Result",
    "RetryPolicy",
    "ServerError",
    "SystemClock",
    "Throttled",
    "TooLarge",
    "Unauthorized",
    "Unreachable",
    "UntrustedServer",
    "UserInfo",
    "WatchEvent",
    "WatchEventType",
    "configure_logging",
    "discover_connection",
    "embed_kubeconfig",
    "format_kubeconfig",
    "in_cluster_connection",
    "is_applied",
    "load_kubeconfig",
    "log_context",
    "merge_patch",
    "parse_kubeconfig",
]
