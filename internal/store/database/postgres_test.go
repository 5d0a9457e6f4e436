package database

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestAServerThatVanishedDoesNotHoldRequests(t *testing.T) {
	ours, silent := net.Pipe()
	defer func() {
		if err := errors.Join(ours.Close(), silent.Close()); err != nil {
			t.Error(err)
		}
	}()
	conn := &timedConn{ours, time.Millisecond}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if _, err := conn.Write([]byte("SELECT 1")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
