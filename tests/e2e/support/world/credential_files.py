"""Credential files as Google's tools write them, for identities that the stand-in knows."""

import json
from pathlib import Path
from typing import Any

_TOKEN_TYPE = "urn:ietf:params:oauth:token-type"
# Where the metadata servers of other clouds are.
MACHINE = "169.254.169.254"
ACCOUNT = "target@standin-project.iam.gserviceaccount.com"


class CredentialFiles:
    """`different` in each method: members to add or replace; one given as None is left out."""

    def __init__(self, folder: Path, identity: dict[str, str]) -> None:
        self.folder = folder
        self._identity = identity

    def audience(self, issuer: str = "corp", workforce: bool = False) -> str:
        """A provider trusts the issuer that has its name."""
        pool = (
            "locations/global/workforcePools/staff"
            if workforce
            else f"projects/{self._identity['project_number']}"
            "/locations/global/workloadIdentityPools/machines"
        )
        return f"//iam.googleapis.com/{pool}/providers/{issuer}"

    def authorized_user(self, name: str = "authorized-user.json", **different: Any) -> Path:
        login = {of: self._identity[of] for of in ("client_id", "client_secret", "refresh_token")}
        return self._write(
            name,
            {
                "account": "",
                **login,
                "type": "authorized_user",
                "universe_domain": "googleapis.com",
            },
            different,
        )

    def external_account(
        self,
        subject_token: str,
        issuer: str = "corp",
        *,
        impersonate: str | None = None,
        field: str | None = None,
        workforce: bool = False,
        name: str = "external-account.json",
        **different: Any,
    ) -> Path:
        """The subject token is in a file of its own, `subject-token` in the same folder: as text,
        or as the `field` of a JSON object. `impersonate`: an account."""
        subject = self.folder / "subject-token"
        subject.write_text(json.dumps({field: subject_token}) if field else subject_token)
        form: dict[str, Any] = (
            {"type": "json", "subject_token_field_name": field} if field else {"type": "text"}
        )
        kind = "id_token" if workforce else "jwt"
        content = {
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": self.audience(issuer, workforce),
            "subject_token_type": f"{_TOKEN_TYPE}:{kind}",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": str(subject), "format": form},
            "token_info_url": "https://sts.googleapis.com/v1/introspect",
        }
        if impersonate is not None:
            content["service_account_impersonation_url"] = _impersonation_url(impersonate)
        return self._write(name, content, different)

    def azure(self, resource: str = "vertex-gateway") -> dict[str, Any]:
        """The `credential_source` of a machine in Azure."""
        path = "/metadata/identity/oauth2/token"
        return {
            "url": f"http://{MACHINE}{path}?api-version=2018-02-01&resource={resource}",
            "headers": {"Metadata": "True"},
            "format": {"type": "json", "subject_token_field_name": "access_token"},
        }

    def aws(self, name: str = "aws.json", **different: Any) -> Path:
        """Of a machine in AWS; `different`: members of its `credential_source`."""
        latest = f"http://{MACHINE}/latest"
        source = {
            "environment_id": "aws1",
            "region_url": f"{latest}/meta-data/placement/availability-zone",
            "url": f"{latest}/meta-data/iam/security-credentials",
            "regional_cred_verification_url": (
                "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
            ),
            "imdsv2_session_token_url": f"{latest}/api/token",
        }
        kind = "urn:ietf:params:aws:token-type:aws4_request"
        return self.external_account(
            "unused",
            "aws",
            name=name,
            subject_token_type=kind,
            credential_source=source | different,
        )

    def impersonated_service_account(
        self,
        source: Path,
        account: str = ACCOUNT,
        delegates: tuple[str, ...] = (),
        name: str = "impersonated.json",
        **different: Any,
    ) -> Path:
        """`source`: another credential file, which becomes a part of this one."""
        content = {
            "delegates": list(delegates),
            "service_account_impersonation_url": _impersonation_url(account),
            "source_credentials": json.loads(source.read_text()),
            "type": "impersonated_service_account",
        }
        return self._write(name, content, different)

    def _write(self, name: str, content: dict[str, Any], different: dict[str, Any]) -> Path:
        content = {key: value for key, value in (content | different).items() if value is not None}
        file = self.folder / name
        file.write_text(json.dumps(content, indent=2) + "\n")
        return file


def _impersonation_url(account: str) -> str:
    base = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    return f"{base}/{account}:generateAccessToken"
