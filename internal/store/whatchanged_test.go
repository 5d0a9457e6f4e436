package store_test

import (
	"strings"
	"testing"
	"time"

	"idp/internal/store"
)

func TestTheAuditSaysWhatWasAddedAndChanged(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		last := func(event, want string) {
			t.Helper()
			w.pass(time.Millisecond) // entries of one millisecond have no order
			entries, err := w.Entries(t.Context(), store.Filter{Event: event, Limit: 1})
			must(t, err)
			if len(entries) != 1 || entries[0].Detail != want {
				t.Errorf("%s: %+v, want %s", event, entries, want)
			}
		}
		by := store.Entry{Actor: "test"}
		u := store.User{Name: "bob", PasswordHash: "h", FullName: "Bob <b>", Groups: []string{"staff"}, Claims: store.UserClaims{Birthdate: "2000"}}
		_, err := w.CreateUser(t.Context(), u, nil, by)
		must(t, err)
		last("user_added", `{"password":true,"full_name":"Bob <b>","groups":["staff"]}`)
		_, err = w.CreateUser(t.Context(), store.User{Name: "eve"}, &store.Identity{Source: "kerberos:R", Key: "name:eve"}, by)
		must(t, err)
		last("user_added", `{"source":"kerberos:R","key":"name:eve"}`)

		was, err := w.UserByName(t.Context(), "bob")
		must(t, err)
		sess := w.login(*was)
		is := *was
		is.Email, is.FullName, is.Groups, is.Claims.Gender = "bob@example.com", "Bob", nil, "m"
		must(t, w.UpdateUser(t.Context(), is, by))
		last("user_changed", `{"claims":"changed","email":"bob@example.com","full_name":"Bob","groups":[]}`)
		want(t, w.UpdateUser(t.Context(), is, by), store.ErrConflict)
		_, now, err := w.SessionBySecret(t.Context(), sess.SecretHash, w.Now())
		if must(t, err); now.Email != is.Email || now.FullName != "Bob" || len(now.Groups) != 0 || now.Claims != is.Claims || now.PasswordHash != "h" {
			t.Errorf("in a session that goes on: %+v", now)
		}
		is.ID = "nobody"
		want(t, w.UpdateUser(t.Context(), is, by), store.ErrNotFound)

		c := store.Client{ClientID: "shop", ClientName: "Shop", RedirectURIs: []string{"https://shop.example/cb"}, SecretHashes: [][]byte{[]byte("hash")}, Scope: "openid"}
		must(t, w.AddClient(t.Context(), c, by))
		last("client_added", `{"client_name":"Shop","redirect_uris":["https://shop.example/cb"],"scope":"openid","secret_hashes":"changed"}`)
		stored, err := w.ClientByID(t.Context(), "shop")
		must(t, err)
		c = *stored
		c.Scope, c.RedirectURIs = "", []string{"https://shop.example/" + strings.Repeat("x", 2000)}
		must(t, w.UpdateClient(t.Context(), c, false, by))
		last("client_changed", `{"redirect_uris":["https://shop.example/`+strings.Repeat("x", 1024-len(`{"redirect_uris":["https://shop.example/`)))
		stored, err = w.ClientByID(t.Context(), "shop")
		must(t, err)
		c = *stored
		c.RedirectURIs, c.SecretHashes = []string{"https://shop.example/2"}, nil
		must(t, w.UpdateClient(t.Context(), c, false, by))
		last("client_changed", `{"redirect_uris":["https://shop.example/2"],"secret_hashes":"changed"}`)
		want(t, w.UpdateClient(t.Context(), c, false, by), store.ErrConflict)
		c.ClientID = "nobody"
		want(t, w.UpdateClient(t.Context(), c, false, by), store.ErrNotFound)
	})
}
