package sender

import (
	"context"
	"net/netip"
	"syscall"
)

// guard refuses connections to addresses that are not on the public internet, except for its networks.
type guard []netip.Prefix

// blockedError is a connection that was refused.
type blockedError struct{ address string }

func (e *blockedError) Error() string {
	return "sender: nothing is sent to " + e.address
}

// control is asked before each connection, once the name is resolved: what the name stood for earlier is of no
// account.
func (g guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return &blockedError{address}
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || !g.public(to.Addr()) {
		return &blockedError{address}
	}
	return nil
}

// reserved are the networks of the IANA registries of special-purpose addresses, and multicast: for each the reason why
// nobody outside is there.
var reserved = prefixes(
	"0.0.0.0/8",       // this host
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by providers
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, and the metadata of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocols
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// unicast6 is the only network of IPv6 from which addresses are given out.
var unicast6 = netip.MustParsePrefix("2000::/3")

// reserved6 are parts of it that lead elsewhere.
var reserved6 = prefixes(
	"2001::/23",         // protocols: Teredo, ORCHID and others
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4: holds an address of IPv4
	"2620:4f:8000::/48", // AS112
	"3fff::/20",         // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// public tells whether an address is on the public internet, or in one of the guard's networks. Of IPv6 all that is not
// global unicast is refused: loopback, unique local and link-local addresses, mapped and translated ones of IPv4 (::/96,
// ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48) and multicast.
func (g guard) public(a netip.Addr) bool {
	switch {
	case !a.IsValid() || a.Zone() != "":
		return false
	case within(g, a.Unmap()):
		return true
	case a.Is4():
		return !within(reserved, a)
	}
	return unicast6.Contains(a) && !within(reserved6, a)
}
