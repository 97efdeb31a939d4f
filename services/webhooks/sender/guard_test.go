package sender

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// Nothing is sent to an address that only some can reach, however it is written.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
		"192.0.0.192", "192.168.1.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808",
		"64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2001:20::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
		"febf::1", "fec0::1", "ff02::1", "ff0e::1", "100::1", "5f00::1", "4000::1",
	} {
		if guard(nil).public(netip.MustParseAddr(text)) {
			t.Errorf("%s is called", text)
		}
	}
	for _, text := range []string{"8.8.8.8", "1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1", "2003::1"} {
		if !guard(nil).public(netip.MustParseAddr(text)) {
			t.Errorf("%s is not called", text)
		}
	}
}

// What the standard library holds for private is so here, and no form of IPv4 within IPv6 leads anywhere.
func TestAddressesAsTheStandardLibraryKnowsThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		four := netip.AddrFrom4(b)
		if p := guard(nil).public(four); p && (four.IsPrivate() || !four.IsGlobalUnicast()) {
			t.Errorf("%s is called", four)
		}
		for _, text := range []string{"::ffff:", "::", "64:ff9b::", "64:ff9b:1::"} {
			six, err := netip.ParseAddr(text + four.String())
			if err == nil && guard(nil).public(six) {
				t.Errorf("%s is called", six)
			}
		}
		c := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "long address"))
		six := netip.AddrFrom16(c)
		if guard(nil).public(six) && (six.IsPrivate() || !six.IsGlobalUnicast() || six.IsLinkLocalUnicast() || six.Is4In6()) {
			t.Errorf("%s is called", six)
		}
	})
}

// Allowed networks are let through in each form, and no others.
func TestAllowedNetworks(t *testing.T) {
	t.Parallel()
	g := guard{netip.MustParsePrefix("127.0.0.0/8")}
	for text, want := range map[string]bool{"127.0.0.1": true, "::ffff:127.0.0.1": true, "10.0.0.1": false, "::1": false, "8.8.8.8": true} {
		if got := g.public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
