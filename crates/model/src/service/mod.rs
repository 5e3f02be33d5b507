//! Services as drivers see them: typed, with every expression evaluated. Read from the canonical
//! Compose form; the short forms of Compose are understood too, since an expression may yield one.

mod mount;
mod port;
mod rollout;
mod spec;

pub use mount::{Mount, MountKind};
pub use port::{AppProtocol, Port, PortError, Protocol};
pub use rollout::{FailureAction, Order, RollOutPolicy, UpdateConfig};
pub use spec::{
    CommandLine, Deploy, Grant, HealthCheck, HealthTest, Limits, Logging, ProcessSpec, Resources,
    RestartPolicy, RestartWhen, ServiceError, ServiceSpec,
};
