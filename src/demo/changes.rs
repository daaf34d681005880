//! Changes that this cloud permits or denies, and would do a dry run of, but has nothing to make them to.

use super::call::{Action, Call};
use super::ec2::dry_run;
use super::wire::Refusal;
use super::xml::Xml;

pub(super) const ACTIONS: &[Action] = &[
    action("AuthorizeSecurityGroupIngress"),
    action("CreateImage"),
    action("CreateSnapshot"),
    action("CreateTags"),
    action("DeleteSnapshot"),
    action("DeleteVolume"),
    action("ModifyInstanceAttribute"),
    action("RebootInstances"),
    action("RunInstances"),
];

const fn action(name: &'static str) -> Action {
    Action {
        name,
        handler: change,
        has_result: false,
    }
}

/// No thing that is named is there, except instances; those stay as they are.
fn change(call: &Call<'_>, _: &mut Xml) -> Result<(), Refusal> {
    dry_run(call)?;
    let region = call.fleet.lock();
    for id in call.parameters.values() {
        let code = match id.split_once('-') {
            Some(("i", _)) if region.instance(id).is_none() => "InvalidInstanceID.NotFound",
            Some(("ami", _)) => "InvalidAMIID.NotFound",
            Some(("sg", _)) => "InvalidGroup.NotFound",
            Some(("snap", _)) => "InvalidSnapshot.NotFound",
            Some(("subnet", _)) => "InvalidSubnetID.NotFound",
            Some(("vol", _)) => "InvalidVolume.NotFound",
            _ => continue,
        };
        return Err(Refusal::new(400, code, format!("The ID '{id}' does not exist")));
    }
    let message = "The demo cloud does not do that.";
    Err(Refusal::new(400, "UnsupportedOperation", message))
}
