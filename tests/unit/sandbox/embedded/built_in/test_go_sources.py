"""What is read from Kubernetes' Go types."""

from pathlib import Path

from towline_sandbox.embedded.built_in.go_sources import GoSources

TYPES = """
package v1

// Thing has fields.
type Thing struct {
\tmetav1.TypeMeta `json:",inline"`
\t// +optional
\tmetav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

\tReplicas *int32 `json:"replicas,omitempty" protobuf:"varint,1,opt,name=replicas"`
\tParts []Part `json:"parts" protobuf:"bytes,2,rep,name=parts"`
\tLimits map[string]resource.Quantity `json:"limits,omitempty"`
\tSince metav1.Time `json:"since,omitempty,omitzero"`
\tHandler `json:",inline" protobuf:"bytes,3,opt,name=handler"`
\tHidden string `json:"-"`
}

type Handler struct {
\tExec *Action `json:"exec,omitempty"`
}
"""


def test_fields_are_read_with_their_types_and_options(tmp_path: Path) -> None:
    """Types are named as Go names them in messages: with the package's own name."""
    folder = tmp_path / "k8s.io/api@v0.1.0/things/v1"
    folder.mkdir(parents=True)
    (folder / "types.go").write_text(TYPES, encoding="utf-8")
    sources = GoSources(tmp_path, "v0.1.0")
    assert sources.fields("io.k8s.api.things.v1.Thing") == {
        "metadata": "v1.ObjectMeta,omitempty",
        "replicas": "*int32,omitempty",
        "parts": "[]v1.Part",
        "limits": "map[string]resource.Quantity,omitempty",
        "since": "v1.Time,omitempty,omitzero",
        "exec": "*v1.Action,omitempty,inline=Handler",
    }
    assert sources.fields("io.k8s.api.things.v1.Unknown") == {}
    assert sources.fields("io.example.Thing") == {}
