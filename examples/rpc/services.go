package main

import (
	"crypto/rand"
	"net/http"
	"sync"

	"idp/examples/api-go/bearer"
)

// reports is the front end: people's programs ask it, and it asks the ledger for them.
type reports struct {
	http   *http.Client
	ledger string // URL
	proofs *exchanger
}

func (s *reports) handler(v *bearer.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/spend", v.Require("ledger:write", serve(s.spend)))
	return mux
}

func (s *reports) spend(w http.ResponseWriter, r *http.Request) (any, error) {
	in := spendV1{Currency: "EUR"}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	proof, err := s.proofs.proof(r.Context(), token(r))
	if err != nil {
		return nil, err
	}
	var out entryV1
	return &out, call(r.Context(), s.http, s.ledger+"/v1/entries", proof, in, &out)
}

// ledger is a back end: it has everybody's entries, and believes proofs alone.
type ledger struct {
	http    *http.Client
	archive string // URL
	proofs  *exchanger

	mu      sync.Mutex
	entries map[string][]entryV1 // by sub
}

func (s *ledger) handler(v *bearer.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/entries", v.Require("ledger:write", actsFor("reports", serve(s.add))))
	mux.Handle("POST /v1/statement", v.Require("ledger:read", actsFor("reports", serve(s.statement))))
	return mux
}

func (s *ledger) add(w http.ResponseWriter, r *http.Request) (any, error) {
	who := bearer.Of(r.Context())
	e := entryV1{spendV1: spendV1{Currency: "EUR"}, Owner: who.Subject, By: throughWhom(who)}
	if err := read(w, r, &e.spendV1); err != nil {
		return nil, err
	}
	proof, err := s.proofs.proof(r.Context(), token(r))
	if err != nil {
		return nil, err
	}
	var kept recordV1
	if err := call(r.Context(), s.http, s.archive+"/v1/records", proof, recordV1{Text: e.Text}, &kept); err != nil {
		return nil, err
	}
	e.Record = &kept.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[e.Owner] = append(s.entries[e.Owner], e)
	return e, nil
}

func (s *ledger) statement(w http.ResponseWriter, r *http.Request) (any, error) {
	who := bearer.Of(r.Context()).Subject
	in := statementV1{Owner: who, Last: 10}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	if in.Owner != who {
		return nil, problem{http.StatusForbidden, "not_yours", "the proof is about somebody else"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.entries[who]
	return map[string]any{"owner": who, "entries": all[max(0, len(all)-max(0, in.Last)):]}, nil
}

// archive is a back end behind the ledger.
type archive struct {
	mu      sync.Mutex
	records []recordV1
}

func (s *archive) handler(v *bearer.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/records", v.Require("archive:write", actsFor("ledger", serve(s.keep))))
	return mux
}

func (s *archive) keep(w http.ResponseWriter, r *http.Request) (any, error) {
	var in recordV1
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	who := bearer.Of(r.Context())
	in.ID, in.Owner, in.By = rand.Text(), who.Subject, throughWhom(who) // whatever the caller says
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, in)
	return in, nil
}
