//! The handler language of gpu-actor: builder, typed IR, verifier, PTX writer and the ring kernel.
