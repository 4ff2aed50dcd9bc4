"""The state of the whole fleet, for people, programs and Prometheus."""
