//! A virtual NVIDIA device on the CPU: PTX compiled with Cranelift, lanes as coroutines.
