//! Attribute macros of gpu-actor: actors, handlers, device functions and payload types.
