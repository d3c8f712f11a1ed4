//! One binary per concept of gpu-actor.
