//! Instances as the wire has them: after the example in the reference of `DescribeInstances` on AWS, after captures
//! of 2018 on OUTSCALE.

use jiff::Timestamp;

use super::Times;
use super::fleet::Instance;
use super::holdings::{ROOT_DEVICE, devices};
use super::region::{Ids, Region};
use super::xml::Xml;
use crate::provider::Provider;

/// Writes the instances of one region.
pub(super) struct Writer {
    provider: Provider,
    times: Times,
    ids: Ids,
    region: String,
}

impl Writer {
    pub(super) fn new(region: &Region) -> Self {
        Self {
            provider: region.provider,
            times: region.times,
            ids: region.ids,
            region: region.name.clone(),
        }
    }

    /// What a reservation says of itself, and the instances in it.
    pub(super) fn reservation(&self, xml: &mut Xml, serial: Option<u64>, instances: impl FnOnce(&mut Xml)) {
        xml.text("reservationId", &self.ids.of("r", serial.unwrap_or(u64::MAX)));
        xml.text("ownerId", super::ACCOUNT);
        match self.provider {
            Provider::Aws => xml.empty("groupSet"),
            Provider::Outscale => self.groups(xml),
        }
        xml.within("instancesSet", instances);
    }

    pub(super) fn instance(&self, xml: &mut Xml, instance: &Instance) {
        xml.text("instanceId", &instance.id);
        xml.text("imageId", &instance.image_id);
        xml.within("instanceState", |xml| state(xml, &instance.state));
        self.names(xml, instance);
        xml.plain(
            "amiLaunchIndex",
            instance.serial - instance.reservation.min(instance.serial),
        );
        xml.empty("productCodes");
        xml.text("instanceType", &instance.instance_type);
        xml.text("launchTime", &self.time(instance.launched, instance.serial));
        xml.within("placement", |xml| {
            xml.text("availabilityZone", &instance.availability_zone);
            self.optional(xml, "groupName", "");
            xml.text("tenancy", "default");
        });
        if self.provider == Provider::Outscale {
            xml.text("kernelId", "");
        }
        xml.within("monitoring", |xml| xml.text("state", "disabled"));
        if let (Some(vpc), Some(subnet)) = (&instance.vpc_id, &instance.subnet_id) {
            xml.text("subnetId", subnet);
            xml.text("vpcId", vpc);
        }
        xml.text("privateIpAddress", &instance.private_ip);
        if let Some(public_ip) = &instance.public_ip {
            xml.text("ipAddress", public_ip);
        }
        xml.plain("sourceDestCheck", true);
        self.groups(xml);
        if let Some((code, message)) = &instance.state_reason {
            xml.within("stateReason", |xml| {
                xml.text("code", code);
                xml.text("message", message);
            });
        }
        xml.text("architecture", architecture(instance));
        xml.text("rootDeviceType", "ebs");
        xml.text("rootDeviceName", ROOT_DEVICE);
        self.volumes(xml, instance);
        xml.text("virtualizationType", "hvm");
        self.optional(xml, "clientToken", "");
        if instance.is_spot {
            xml.text("instanceLifecycle", "spot");
            xml.text("spotInstanceRequestId", &self.ids.of("sir", instance.serial));
        }
        if !instance.tags.is_empty() {
            xml.list("tagSet", "item", &instance.tags, |xml, (key, value)| {
                xml.text("key", key);
                xml.text("value", value);
            });
        }
        xml.text("hypervisor", "xen");
        self.network_interfaces(xml, instance);
        xml.plain("ebsOptimized", false);
        if self.provider == Provider::Aws {
            only_on_aws(xml, instance);
        }
    }

    fn names(&self, xml: &mut Xml, instance: &Instance) {
        let dashed = |ip: &str| ip.replace('.', "-");
        let private = match self.provider {
            Provider::Aws => format!(
                "ip-{}.{}.compute.internal",
                dashed(&instance.private_ip),
                self.region
            ),
            Provider::Outscale => format!(
                "ip-{}.{}.compute.internal.outscale.com",
                dashed(&instance.private_ip),
                self.region
            ),
        };
        xml.text("privateDnsName", &private);
        match (&instance.public_ip, self.provider) {
            (Some(ip), Provider::Aws) => xml.text(
                "dnsName",
                &format!("ec2-{}.{}.compute.amazonaws.com", dashed(ip), self.region),
            ),
            (Some(ip), Provider::Outscale) => xml.text(
                "dnsName",
                &format!("ows-{}.{}.compute.outscale.com", dashed(ip), self.region),
            ),
            (None, _) => self.optional(xml, "dnsName", ""),
        }
        if self.provider == Provider::Aws {
            let reason = match instance.state.as_str() {
                "stopping" | "stopped" | "shutting-down" | "terminated" => {
                    let at = instance.state_changed.strftime("%Y-%m-%d %H:%M:%S");
                    format!("User initiated ({at} GMT)")
                }
                _ => String::new(),
            };
            self.optional(xml, "reason", &reason);
        }
        if self.provider == Provider::Outscale || !instance.key_name.is_empty() {
            xml.text("keyName", &instance.key_name);
        }
    }

    fn groups(&self, xml: &mut Xml) {
        xml.list("groupSet", "item", [0], |xml, serial| {
            xml.text("groupId", &self.ids.of("sg", serial));
            xml.text("groupName", "default");
        });
    }

    fn volumes(&self, xml: &mut Xml, instance: &Instance) {
        // A terminated instance has left them behind.
        let devices = match instance.state.as_str() {
            "terminated" => &[],
            _ => devices(instance),
        };
        let devices = devices.iter().zip(0..);
        xml.list("blockDeviceMapping", "item", devices, |xml, (device, nth)| {
            xml.text("deviceName", device);
            xml.within("ebs", |xml| {
                xml.text("volumeId", &self.ids.of("vol", instance.serial * 2 + nth));
                xml.text("status", "attached");
                xml.text("attachTime", &self.time(instance.launched, instance.serial));
                xml.plain("deleteOnTermination", nth == 0);
            });
        });
    }

    fn network_interfaces(&self, xml: &mut Xml, instance: &Instance) {
        let (Some(vpc), Some(subnet)) = (&instance.vpc_id, &instance.subnet_id) else {
            return xml.empty("networkInterfaceSet");
        };
        xml.list("networkInterfaceSet", "item", [instance], |xml, instance| {
            xml.text("networkInterfaceId", &self.ids.of("eni", instance.serial));
            xml.text("subnetId", subnet);
            xml.text("vpcId", vpc);
            xml.text("description", "Primary network interface");
            xml.text("ownerId", super::ACCOUNT);
            xml.text("status", "in-use");
            let [a, b] = u16::try_from(instance.serial & 0xffff)
                .unwrap_or_default()
                .to_be_bytes();
            xml.text("macAddress", &format!("02:00:5e:00:{a:02x}:{b:02x}"));
            xml.text("privateIpAddress", &instance.private_ip);
            xml.plain("sourceDestCheck", true);
            self.groups(xml);
            xml.within("attachment", |xml| {
                xml.text("attachmentId", &self.ids.of("eni-attach", instance.serial));
                xml.plain("deviceIndex", 0);
                xml.text("status", "attached");
                xml.text("attachTime", &self.time(instance.launched, instance.serial));
                xml.plain("deleteOnTermination", true);
            });
            let association = |xml: &mut Xml| {
                if let Some(public_ip) = &instance.public_ip {
                    xml.within("association", |xml| {
                        xml.text("publicIp", public_ip);
                        xml.text("publicDnsName", "");
                        xml.text("ipOwnerId", "amazon");
                    });
                }
            };
            association(xml);
            xml.list("privateIpAddressesSet", "item", [()], |xml, ()| {
                xml.text("privateIpAddress", &instance.private_ip);
                xml.plain("primary", true);
                association(xml);
            });
            if self.provider == Provider::Aws {
                xml.empty("ipv6AddressesSet");
                xml.text("interfaceType", "interface");
            }
        });
    }

    /// Text that may be empty: written as an empty element on OUTSCALE, closed in itself on AWS.
    fn optional(&self, xml: &mut Xml, name: &str, value: &str) {
        if value.is_empty() && self.provider == Provider::Aws {
            xml.empty(name);
        } else {
            xml.text(name, value);
        }
    }

    fn time(&self, at: Timestamp, serial: u64) -> String {
        let at_second = at.strftime("%Y-%m-%dT%H:%M:%S");
        if self.times == Times::Mixed && serial % 2 == 1 {
            format!("{at_second}.000+0000")
        } else {
            format!("{at_second}.000Z")
        }
    }
}

/// The code and the name of a state.
pub(super) fn state(xml: &mut Xml, name: &str) {
    let code = match name {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        "stopped" => 80,
        // Where OUTSCALE puts "quarantine", and with it whatever else is not a state of AWS.
        _ => -1,
    };
    xml.plain("code", code);
    xml.text("name", name);
}

fn architecture(instance: &Instance) -> &'static str {
    if instance.instance_type.starts_with("c6g.") {
        "arm64"
    } else {
        "x86_64"
    }
}

fn only_on_aws(xml: &mut Xml, instance: &Instance) {
    xml.within("cpuOptions", |xml| {
        xml.plain("coreCount", 1);
        xml.plain("threadsPerCore", 2);
    });
    xml.within("capacityReservationSpecification", |xml| {
        xml.text("capacityReservationPreference", "open");
    });
    xml.within("hibernationOptions", |xml| xml.plain("configured", false));
    xml.within("enclaveOptions", |xml| xml.plain("enabled", false));
    xml.within("metadataOptions", |xml| {
        xml.text("state", "applied");
        xml.text("httpTokens", "required");
        xml.plain("httpPutResponseHopLimit", 2);
        xml.text("httpEndpoint", "enabled");
        xml.text("httpProtocolIpv6", "disabled");
        xml.text("instanceMetadataTags", "disabled");
    });
    xml.within("maintenanceOptions", |xml| xml.text("autoRecovery", "default"));
    xml.within("privateDnsNameOptions", |xml| {
        xml.text("hostnameType", "ip-name");
        xml.plain("enableResourceNameDnsARecord", true);
        xml.plain("enableResourceNameDnsAAAARecord", false);
    });
    xml.text("currentInstanceBootMode", "legacy-bios");
    // Windows appears as `platform` too; the absence of that element means anything else.
    if instance.serial % 13 == 12 {
        xml.text("platform", "windows");
        xml.text("platformDetails", "Windows");
        xml.text("usageOperation", "RunInstances:0002");
    } else {
        xml.text("platformDetails", "Linux/UNIX");
        xml.text("usageOperation", "RunInstances");
    }
    xml.text(
        "usageOperationUpdateTime",
        &instance.launched.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
    );
}
