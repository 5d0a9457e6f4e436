package store

import (
	"context"
	"errors"

	"idp/internal/store/database"
)

// How many devices may wait for an answer. There is no bound for each relying party:
// whoever knows the client_id of a public one could use it up, and nobody could log
// in there. And none is refused: those make room that show the fewest signs of
// life. A device that asks every few seconds, as they do, outlives any number of
// requests that nobody comes back for.
const (
	maxDevicesPerNetwork     = 200    // one address, or an IPv6 /64
	maxDevicesPerWideNetwork = 1_000  // an IPv4 /24, an IPv6 /48
	maxDevices               = 10_000 // everywhere
	// devicesAtOnce make room where maxDevices wait: to rank them all for each one
	// that comes would take longer than everything else.
	devicesAtOnce = 100
)

// waits: what is counted, and what may have to make room.
const waits = `d.answer = '' AND d.expires_at > `

// alive is when a device was last known to be there: when it asked last, and the
// five seconds more that every device has to wait then. Those that have to wait
// longer, for having asked too often, gain nothing by it.
const alive = `CASE WHEN d.next_poll_at > 0 THEN d.next_poll_at - d.poll_every + 5000 ELSE d.created_at END`

// PutDeviceCode keeps what a device asks for; others may have to make room for it.
// ErrConflict: the user code is taken.
func (s *Store) PutDeviceCode(ctx context.Context, d DeviceCode) error {
	var inNetwork, inWide, all int64 // without this one, or with it: databases differ
	err := s.db.Single(ctx, func(t database.Tx) error {
		return t.QueryRow([]any{&inNetwork, &inWide, &all}, `
			INSERT INTO device_codes (hash, user_code, grant_id, client_id, address, network, wide_network, outside,
				scope, resource, poll_every, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
			ON CONFLICT (user_code) DO NOTHING
			RETURNING (SELECT COUNT(*) FROM (SELECT 1 FROM device_codes d WHERE d.network = $6 AND `+waits+`$12 LIMIT $14) same_network),
				(SELECT COUNT(*) FROM (SELECT 1 FROM device_codes d WHERE d.wide_network = $7 AND `+waits+`$12 LIMIT $15) same_wide),
				(SELECT COUNT(*) FROM (SELECT 1 FROM device_codes d WHERE `+waits+`$12 LIMIT $16) everywhere)`,
			d.Hash, d.UserCode, d.GrantID, d.ClientID, d.Address, d.Network, d.Wide, d.Outside,
			d.Scope, d.Resource, d.PollEvery, d.CreatedAt, d.ExpiresAt,
			int64(maxDevicesPerNetwork), int64(maxDevicesPerWideNetwork), int64(maxDevices))
	})
	if errors.Is(err, ErrNotFound) && !errors.Is(err, database.ErrText) { // nothing inserted
		return ErrConflict
	}
	if err == nil && inNetwork >= maxDevicesPerNetwork {
		_, err = s.exec(ctx, trimNetwork, d.Network, d.CreatedAt, d.Hash, int64(maxDevicesPerNetwork-1))
	}
	if err == nil && inWide >= maxDevicesPerWideNetwork {
		_, err = s.exec(ctx, trimWideNetwork, d.Wide, d.CreatedAt, d.Hash, int64(maxDevicesPerWideNetwork-1))
	}
	if err == nil && all >= maxDevices {
		_, err = s.exec(ctx, trimAll, d.CreatedAt, d.Hash, int64(devicesAtOnce))
	}
	return err
}

// The devices of a network beyond its bound, but never the one that has just come
// ($3), make room.
const (
	trimNetwork = `
		DELETE FROM device_codes WHERE answer = '' AND hash IN (
			SELECT d.hash FROM device_codes d WHERE d.network = $1 AND ` + waits + `$2 AND d.hash <> $3
			ORDER BY ` + alive + ` DESC, d.hash LIMIT 1000 OFFSET $4)`
	trimWideNetwork = `
		DELETE FROM device_codes WHERE answer = '' AND hash IN (
			SELECT d.hash FROM device_codes d WHERE d.wide_network = $1 AND ` + waits + `$2 AND d.hash <> $3
			ORDER BY ` + alive + ` DESC, d.hash LIMIT 1000 OFFSET $4)`
)

// trimAll takes from the networks that have most: each device has its place among
// those of its network, the liveliest is first, and the last places go. So a flood
// makes room for itself, and whoever is alone in a network is never asked to while
// there is one.
const trimAll = `
	DELETE FROM device_codes WHERE answer = '' AND hash IN (
		SELECT r.hash FROM (
			SELECT d.hash, ` + alive + ` AS alive, ROW_NUMBER() OVER (PARTITION BY d.wide_network ORDER BY ` + alive + ` DESC, d.hash) AS place
			FROM device_codes d WHERE ` + waits + `$1 AND d.hash <> $2) r
		ORDER BY r.place DESC, r.alive, r.hash LIMIT $3)`
