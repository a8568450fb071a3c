-- name: put_key
-- A new key; only its salted hash.
insert into api_keys (key_id, tenant, name, role, scopes, salt, digest, created_by, created_at, expires_at, replaces)
values (%(key_id)s, %(tenant)s, %(name)s, %(role)s, %(scopes)s, %(salt)s, %(digest)s, %(created_by)s, %(created_at)s,
        %(expires_at)s, %(replaces)s);

-- name: key_by_id
-- One key with its hash, of any tenant: what a presented key is checked against.
select key_id, tenant, name, role, scopes, salt, digest, expires_at, revoked_at, last_used_at from api_keys where key_id = %(key_id)s;

-- name: key_used
-- When a key was last used, to the minute.
update api_keys set last_used_at = %(now)s where key_id = %(key_id)s;

-- name: keys_of_tenant
-- Every key of a tenant, oldest first, without hashes.
select key_id, tenant, name, role, scopes, created_by, created_at, expires_at, revoked_at, replaces, last_used_at
from api_keys where tenant = %(tenant)s order by created_at, key_id;

-- name: lock_key
-- One key that can still be used, locked for a change.
select key_id, tenant, name, role, scopes, expires_at from api_keys
where tenant = %(tenant)s and key_id = %(key_id)s and revoked_at is null and (expires_at is null or expires_at > %(now)s)
for update;

-- name: expire_key
-- Let a key end at a time, unless it ends before that.
update api_keys set expires_at = least(expires_at, %(at)s) where tenant = %(tenant)s and key_id = %(key_id)s;

-- name: revoke_key
-- End a key at once.
update api_keys set revoked_at = %(now)s where tenant = %(tenant)s and key_id = %(key_id)s and revoked_at is null;
