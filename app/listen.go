package app

import (
	"errors"
	"fmt"
	"syscall"
)

// listenFailure says what to do about an address that cannot be listened at.
func listenFailure(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: stop it, or choose another address with %sHTTP_ADDR=127.0.0.1:8081", address, Prefix)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this machine: choose another with %sHTTP_ADDR", address, Prefix)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("this user may not listen at %s: choose a port above 1023 with %sHTTP_ADDR", address, Prefix)
	}
	return fmt.Errorf("cannot listen at %s: %w", address, err)
}
