package server

import (
	"context"
	"errors"
	"fmt"

	"idp/internal/audit"
	"idp/internal/config"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
)

// PasswordPolicy is what a configuration demands of new passwords.
func PasswordPolicy(c *config.Config) (*user.Policy, error) {
	return user.NewPolicy(c.Passwords, c.Brand.Name, c.IssuerURL().Hostname())
}

// AddUser makes a local user; store.ErrConflict when the name is taken. Whoever takes
// a password from somebody asks PasswordPolicy first.
func AddUser(ctx context.Context, st *store.Store, u store.User, password secret.String, actor string) error {
	if err := user.CheckName(u.Name); err != nil {
		return err
	}
	hash, err := user.NewHasher().Hash(ctx, password)
	if err != nil {
		return err
	}
	u.PasswordHash = hash
	_, err = st.CreateUser(ctx, u, nil, store.Entry{Actor: actor, Name: u.Name})
	return err
}

// SetPassword gives a user a new local password.
func SetPassword(ctx context.Context, st *store.Store, u *store.User, password secret.String, actor string) error {
	hash, err := user.NewHasher().Hash(ctx, password)
	if err != nil {
		return err
	}
	return st.SetPassword(ctx, u.ID, hash, store.Entry{Actor: actor, UserID: u.ID, Name: u.Name})
}

// seed makes the file's users where their names are free.
func (s *Server) seed(ctx context.Context, c *config.Config) error {
	for _, u := range c.Users {
		if _, err := s.store.UserByName(ctx, u.Name); !errors.Is(err, store.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		password, err := config.ReadSecret(u.PasswordFile)
		if err != nil {
			return err
		}
		seed := store.User{Name: u.Name, FullName: u.FullName, Email: u.Email, EmailVerified: u.EmailVerified, Groups: u.Groups, Claims: u.Claims}
		if err := AddUser(ctx, s.store, seed, password, audit.ActorConfig); err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("users: %s: %w", u.Name, err)
		}
	}
	return nil
}
