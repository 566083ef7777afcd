//! Who may not stand above whom, and what cannot be guaranteed.

use offpeak::v1::{self, CreateTenantRequest, DeleteTenantRequest, UpdateTenantRequest};
use tonic::Code;

use crate::house::{House, cpu, mask};

fn tenant(name: &str, parent: &str, guarantee: u64) -> v1::Tenant {
    v1::Tenant {
        name: name.into(),
        parent: parent.into(),
        guarantee: Some(cpu(guarantee)),
        ..v1::Tenant::default()
    }
}

fn create(tenant: v1::Tenant) -> CreateTenantRequest {
    CreateTenantRequest { tenant: Some(tenant), ..CreateTenantRequest::default() }
}

/// A family of three: `top` above `middle` above `low`.
async fn family() -> House {
    let house = House::start().await;
    let members = [("top", "", 1_000), ("middle", "top", 600), ("low", "middle", 0)];
    for (name, parent, guarantee) in members {
        let request = create(tenant(name, parent, guarantee));
        house.tenants.clone().create_tenant(request).await.expect("created");
    }
    house
}

#[tokio::test]
async fn a_parent_must_be_there_and_not_below() {
    let house = family().await;
    let mut tenants = house.tenants.clone();
    let call = tenants.create_tenant(create(tenant("lost", "nobody", 0)));
    let (_, message) = house.refuses(call, Code::NotFound, "PARENT_NOT_FOUND").await;
    assert!(message.contains("\"nobody\", which does not exist"), "{message}");
    for parent in ["top", "low"] {
        let update = UpdateTenantRequest {
            tenant: Some(tenant("top", parent, 0)),
            update_mask: mask(&["parent"]),
            ..UpdateTenantRequest::default()
        };
        let call = tenants.update_tenant(update);
        house.refuses(call, Code::FailedPrecondition, "TENANT_CYCLE").await;
    }
    let call = tenants.create_tenant(create(tenant("b", "no such name!", 0)));
    house.refuses_fields(call, &[("tenant.parent", "has the character ' '")]).await;
}

#[tokio::test]
async fn a_family_stays_within_what_it_is_guaranteed() {
    let house = family().await;
    let mut tenants = house.tenants.clone();
    let call = tenants.create_tenant(create(tenant("more", "top", 401)));
    let (details, _) = house.refuses(call, Code::FailedPrecondition, "GUARANTEE_EXCEEDED").await;
    let metadata = &details.error_info().expect("an ErrorInfo").metadata;
    let told = ["dimension", "limit", "wanted"].map(|key| metadata[key].as_str());
    assert_eq!(told, ["cpu_millis", "1000", "1001"]);
    let quota = Some(v1::Quota { cpu_millis: Some(10), ..v1::Quota::default() });
    let call = tenants.create_tenant(create(v1::Tenant { quota, ..tenant("own", "", 11) }));
    house.refuses(call, Code::FailedPrecondition, "GUARANTEE_ABOVE_QUOTA").await;
}

#[tokio::test]
async fn a_parent_is_not_deleted_and_families_are_not_endless() {
    let house = family().await;
    let mut tenants = house.tenants.clone();
    let delete = DeleteTenantRequest { name: "middle".into(), ..DeleteTenantRequest::default() };
    let call = tenants.delete_tenant(delete);
    let (_, message) = house.refuses(call, Code::FailedPrecondition, "TENANT_HAS_CHILDREN").await;
    assert!(message.contains("has 1 children"), "{message}");
    let mut above = "low".to_owned();
    for level in 4..=8 {
        let name = format!("level{level}");
        tenants.create_tenant(create(tenant(&name, &above, 0))).await.expect("few enough");
        above = name;
    }
    let call = tenants.create_tenant(create(tenant("deep", &above, 0)));
    house.refuses(call, Code::FailedPrecondition, "TENANTS_TOO_DEEP").await;
}
