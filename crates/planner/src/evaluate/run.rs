//! The values for the steps of a run: what is recorded now.

use std::collections::BTreeMap;

use consort_model::blueprint::Blueprint;
use consort_model::plan::{Plan, VerdictKind};
use consort_model::{Address, Kind, Partial, StateEntry, Why};

use super::Values;

impl Values {
    /// What the settings of a plan's actions may refer to while it is carried out: the inputs of the
    /// plan, and what is recorded now. Instances that the plan deletes are not among those that
    /// expressions see, and what it makes is unknown until it is recorded. Locals and the attributes
    /// of the deployment are left to the caller.
    pub fn of_run(
        plan: &Plan,
        blueprint: &Blueprint,
        state: &BTreeMap<Address, StateEntry>,
    ) -> Self {
        let mut values = Self::default();
        for (name, value) in &plan.inputs {
            values.set(
                Address::new(Kind::Input, name.as_str()),
                value.clone().into(),
            );
        }
        for (address, declaration) in &blueprint.nodes {
            if declaration.for_each.is_some() {
                values.set_group(address.clone());
            }
        }
        for address in plan.verdicts.keys().filter(|address| stays(plan, address)) {
            values.set(address.clone(), Partial::Unknown(Why::Apply));
        }
        for entry in state.values().filter(|entry| stays(plan, &entry.address)) {
            if let Some(attributes) = entry.attributes() {
                values.set(entry.address.clone(), attributes.clone().into());
            }
        }
        values
    }
}

fn stays(plan: &Plan, address: &Address) -> bool {
    let verdict = plan.verdicts.get(address).map(|verdict| verdict.what);
    !matches!(verdict, Some(VerdictKind::Delete | VerdictKind::Forget))
}
