//! What the kernel side and the userspace side of scope share: the [`plan`] a clause is compiled to, the
//! [`machine`] that runs it, the integer semantics ([`arith`]), the values maps hold ([`value`]) and the records
//! that come out ([`record`]).
//!
//! Nothing here allocates, does I/O or knows a kernel. Nothing here is used by userspace alone.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod arith;
pub mod machine;
pub mod plan;
pub mod record;
pub mod value;
