//! One handler on the software GPU, through the differential harness: one lane, one state, one message.

use gpu_actor_rt::__private::{ActorInfo, MethodInfo};
use kernels_ptx::abi::{cx, slot};
use kernels_ptx::builder::Builder;
use kernels_ptx::harness;
use kernels_ptx::ir::Function;
use kernels_ptx::module::Module;
use soft_gpu::{Arg, Device, DeviceConfig, DeviceMemory, LaunchConfig, Status};

use crate::Outcome;

/// The name of a handler in PTX.
pub(crate) fn symbol(method: &MethodInfo) -> String {
    format!("h_{}_{:08x}", method.name, method.id)
}

/// Lowers a handler.
pub(crate) fn lower(method: &MethodInfo) -> Outcome<Function> {
    let builder = Builder::handler(&symbol(method));
    (method.lower)(&builder);
    Ok(builder.finish()?)
}

/// The handlers of a type, ready to run.
pub(crate) struct Loaded {
    device: Device,
    function: soft_gpu::Function,
    state: DeviceMemory,
    message: DeviceMemory,
    context: DeviceMemory,
    status: DeviceMemory,
    names: Vec<&'static str>,
}

impl Loaded {
    /// Compiles all handlers of a type for one of its states.
    pub(crate) fn new(info: &ActorInfo) -> Outcome<Self> {
        let mut module = Module::new("benches");
        let mut symbols = Vec::new();
        for method in info.methods {
            module.add(lower(method)?);
            symbols.push(symbol(method));
        }
        module.add(harness::build(&symbols.iter().map(String::as_str).collect::<Vec<_>>())?);
        let module = module.verify()?;
        let device = Device::open(DeviceConfig::default())?;
        let function = device.load_ptx(module.ptx())?.function(harness::SYMBOL)?;
        Ok(Self {
            state: device.alloc(info.state_size as usize)?,
            message: device.alloc(256)?,
            context: device.alloc(cx::SIZE as usize)?,
            status: device.alloc(8)?,
            names: info.methods.iter().map(|method| method.name).collect(),
            device,
            function,
        })
    }

    /// Runs a handler of two words on a state of zeros, and gives the word that it replies with.
    pub(crate) fn call(&self, name: &str, arguments: [u64; 2]) -> Outcome<u64> {
        let handler = self.names.iter().position(|n| *n == name).ok_or("no such handler")?;
        let write = |memory: &DeviceMemory, words: &[(u64, u64)]| -> Outcome<()> {
            let mut bytes = vec![0; memory.len()];
            for (offset, word) in words {
                bytes[*offset as usize..][..8].copy_from_slice(&word.to_le_bytes());
            }
            Ok(self.device.copy_to_device(memory.address(), &bytes)?)
        };
        write(&self.state, &[])?;
        write(&self.message, &[(slot::HEADER, arguments[0]), (slot::HEADER + 8, arguments[1])])?;
        write(&self.context, &[(cx::BUDGET, u64::MAX >> 1)])?;
        let mut words = [0; harness::param::COUNT_OF];
        for (parameter, word) in [
            (harness::param::HANDLER, handler as u64),
            (harness::param::COUNT, 1),
            (harness::param::STATES, self.state.address()),
            (harness::param::MESSAGES, self.message.address()),
            (harness::param::CONTEXTS, self.context.address()),
            (harness::param::STATUSES, self.status.address()),
        ] {
            words[parameter] = word;
        }
        let args = words.map(Arg::U64);
        // SAFETY: the arguments name allocations of this device, which outlive the launch, with a record for the one thread.
        let launch = unsafe { self.device.launch(&self.function, &LaunchConfig::new(1, 1), &args) }?;
        match launch.wait(None) {
            Status::Finished => {}
            other => return Err(format!("{name}: the launch ended as {other:?}").into()),
        }
        let mut word = [0; 8];
        self.device.copy_from_device(&mut word, self.status.address())?;
        if u64::from_le_bytes(word) != 0 {
            return Err(format!("{name}: the handler faulted").into());
        }
        self.device.copy_from_device(&mut word, self.context.address() + cx::REPLY)?;
        Ok(u64::from_le_bytes(word))
    }
}
