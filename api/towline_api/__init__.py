"""The wire contract of Open Cluster Management: names, kinds, conditions, CRDs. No I/O."""
