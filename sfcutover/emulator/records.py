"""The records of the org that can be queried, and its user as a REST resource."""

from __future__ import annotations

from sfcutover.emulator.deployment import Deployment
from sfcutover.emulator.ids import User
from sfcutover.emulator.org import Org
from sfcutover.emulator.soql import Query, QueryError, Record

_NOT_HERE = (
    "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure "
    "to append the '__c' after the entity name."
)


def records_of(org: Org, query: Query, *, tooling: bool) -> list[Record]:
    """All records of the object that a query names, the newest first.

    Raises QueryError with INVALID_TYPE for an object that the org doesn't have;
    ScratchOrgInfo is one, for it is no Dev Hub.
    """
    name = query.source.lower()
    if tooling:
        if name == "deployrequest" and org.scenario.deploy_request_query:
            return [_deploy_request(org, one) for one in reversed(list(org.queue))]
    elif name == "loginhistory":
        return org.logins.records(query)
    elif name == "organization":
        return [organization(org)]
    elif name == "user":
        return [user(org, one) for one in org.users]
    elif name == "userpermissionaccess":
        return [permissions(org)]
    raise QueryError("INVALID_TYPE", _NOT_HERE.format(name=query.source))


def organization(org: Org) -> Record:
    """The Organization record."""
    scenario = org.scenario
    return {
        "Id": org.id,
        "Name": scenario.org_name,
        "OrganizationType": scenario.organization_type,
        "InstanceName": scenario.instance_name,
        "IsSandbox": scenario.is_sandbox,
        "NamespacePrefix": scenario.namespace,
        "TrialExpirationDate": None,
        "LanguageLocaleKey": "en_US",
        "CreatedDate": org.clock.rest(org.started),
    }


def user(org: Org, one: User) -> Record:
    """The User record of a user."""
    first, _, last = one.name.rpartition(" ")
    return {
        "Id": one.id,
        "Username": one.username,
        "Name": one.name,
        "FirstName": first or None,
        "LastName": last,
        "Email": one.username,
        "IsActive": True,
        "UserType": "Standard",
        "ProfileId": org.profile_id,
        "LanguageLocaleKey": "en_US",
        "TimeZoneSidKey": "GMT",
        "CreatedDate": org.clock.rest(org.started),
    }


def permissions(org: Org) -> Record:
    """The UserPermissionAccess record: what the calling user may do."""
    may = org.scenario.can_modify_metadata
    return {
        "Id": "000000000000000AAA",
        "LastCacheUpdate": org.clock.rest(org.clock()),
        "PermissionsApiEnabled": True,
        "PermissionsModifyAllData": False,
        "PermissionsModifyMetadata": may,
    }


def _deploy_request(org: Org, deployment: Deployment) -> Record:
    return {
        "Id": deployment.id,
        "Status": deployment.status.value,
        "CheckOnly": deployment.check_only,
        "CreatedById": deployment.by.id,
        "CreatedBy.Name": deployment.by.name,
        "CreatedDate": org.clock.rest(deployment.created),
        "StartDate": org.clock.rest(deployment.started) if deployment.started else None,
        "CompletedDate": org.clock.rest(deployment.ended) if deployment.ended else None,
        "ErrorMessage": deployment.error_message,
        "ErrorStatusCode": deployment.error_code,
        "NumberComponentErrors": len(deployment.failures),
        "NumberComponentsDeployed": deployment.components_deployed,
        "NumberComponentsTotal": deployment.components_total,
        "RollbackOnError": deployment.options.rollback_on_error,
        "StateDetail": None,
    }
