package identity

import "time"

// Key is an access key and what it stands for.
type Key struct {
	ID, Secret string
	Token      string // empty for users' own keys
	Who        Caller
	Expires    time.Time // zero for users' own keys
}

// Keys are the access keys that there are.
type Keys struct {
	now  func() time.Time
	byID shelf[*Key]
}

// NewKeys makes a store of keys.
func NewKeys(now func() time.Time) *Keys {
	return &Keys{now: now, byID: newShelf(func(k *Key) time.Time { return k.Expires })}
}

// AddForUser makes a key of a user.
func (ks *Keys) AddForUser(u *User) *Key {
	return ks.add(&Key{ID: randomID("AKIA"), Secret: randomSecret(30), Who: Caller{User: u}})
}

// AddForSession makes a session's key, which ends with it.
func (ks *Keys) AddForSession(s *Session) *Key {
	return ks.add(&Key{ID: randomID("ASIA"), Secret: randomSecret(30), Token: randomSecret(240), Who: Caller{Session: s},
		Expires: s.Expires})
}

func (ks *Keys) add(k *Key) *Key {
	ks.byID.put(k.ID, k, ks.now())
	return k
}

// ByID finds a key, expired ones included; nil when there is none.
func (ks *Keys) ByID(id string) *Key { return ks.byID.things[id] }

// Delete makes a key invalid from now on. An unknown one is ignored.
func (ks *Keys) Delete(id string) { delete(ks.byID.things, id) }
