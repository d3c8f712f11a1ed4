//! What a launch must be like before it starts: its shape within the limits, its arguments as the entry declares them.

use super::{Arg, LaunchConfig};
use crate::device::{DeviceInner, MAX_SHARED_PER_BLOCK, MAX_THREADS_PER_BLOCK};
use crate::error::{Error, LaunchRule};
use crate::module::Entry;

/// Checks the shape against the limits of device and entry, and returns the number of blocks.
pub(super) fn check_shape(device: &DeviceInner, entry: &Entry, config: &LaunchConfig) -> Result<u32, Error> {
    let invalid = |rule, reason: String| Error::InvalidLaunch { function: entry.name.clone(), rule, reason };
    use LaunchRule as Rule;
    let limits = &device.properties;
    for axis in 0..3 {
        let name = ["x", "y", "z"][axis];
        let (grid, block) = (config.grid[axis], config.block[axis]);
        if grid == 0 || block == 0 {
            return Err(invalid(Rule::NotEmpty, format!("grid and block need at least 1 along {name}")));
        }
        if grid > limits.max_grid[axis] {
            return Err(invalid(
                Rule::GridAxis,
                format!("grid.{name} is {grid}, the limit {}", limits.max_grid[axis]),
            ));
        }
        if block > limits.max_block[axis] {
            return Err(invalid(
                Rule::BlockAxis,
                format!("block.{name} is {block}, the limit {}", limits.max_block[axis]),
            ));
        }
    }
    let lanes: u64 = config.block.iter().map(|n| u64::from(*n)).product();
    if lanes > u64::from(MAX_THREADS_PER_BLOCK) {
        return Err(invalid(
            Rule::BlockLanes,
            format!("the block has {lanes} lanes, the limit is {MAX_THREADS_PER_BLOCK}"),
        ));
    }
    if let Some(required) = entry.required_block
        && required != config.block
    {
        return Err(invalid(
            Rule::RequiredBlock,
            format!("the block is {:?}, `.reqntid` demands {required:?}", config.block),
        ));
    }
    if let Some(most) = entry.max_lanes
        && lanes > most
    {
        return Err(invalid(
            Rule::MostLanes,
            format!("the block has {lanes} lanes, `.maxntid` allows {most}"),
        ));
    }
    let shared = u64::from(entry.static_shared) + u64::from(config.shared_bytes);
    if shared > u64::from(MAX_SHARED_PER_BLOCK) {
        return Err(invalid(
            Rule::SharedMemory,
            format!("a block needs {shared} bytes of shared memory, the limit is {MAX_SHARED_PER_BLOCK}"),
        ));
    }
    let blocks: u128 = config.grid.iter().map(|n| u128::from(*n)).product();
    let most = if config.cooperative { limits.max_cooperative_blocks } else { u32::MAX };
    if blocks > u128::from(most) {
        let kind = if config.cooperative { "a cooperative launch" } else { "a launch" };
        let rule = if config.cooperative { Rule::ResidentBlocks } else { Rule::GridBlocks };
        return Err(invalid(rule, format!("the grid has {blocks} blocks, the limit of {kind} is {most}")));
    }
    if config.park_sleepers && blocks > 1 << 20 {
        return Err(invalid(
            Rule::ResidentBlocks,
            format!("the grid has {blocks} blocks, with `park_sleepers` the limit is 1048576"),
        ));
    }
    Ok(blocks as u32)
}

/// Lays the arguments out as the entry's parameter space.
pub(super) fn encode_params(entry: &Entry, args: &[Arg]) -> Result<Vec<u64>, Error> {
    if args.len() != entry.params.len() {
        return Err(Error::ArgumentCount {
            function: entry.name.clone(),
            expected: entry.params.len(),
            given: args.len(),
        });
    }
    let mut bytes = Vec::new();
    let mut value = Vec::new();
    for (index, (arg, param)) in args.iter().zip(&entry.params).enumerate() {
        value.clear();
        arg.encode(&mut value);
        if value.len() != param.size {
            return Err(Error::ArgumentSize {
                function: entry.name.clone(),
                index,
                parameter: param.name.clone(),
                expected: param.size,
                given: value.len(),
            });
        }
        bytes.resize(param.offset, 0);
        bytes.extend_from_slice(&value);
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    Ok(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect())
}
