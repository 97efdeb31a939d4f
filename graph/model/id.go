package model

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/google/uuid"
)

// Prefixes of the ids of each type (TypeID, https://github.com/jetify-com/typeid/tree/main/spec).
const (
	PrefixUser         = "user"
	PrefixAddress      = "addr"
	PrefixSession      = "sess"
	PrefixProduct      = "prod"
	PrefixVariant      = "var"
	PrefixCategory     = "cat"
	PrefixLocation     = "loc"
	PrefixAdjustment   = "adj"
	PrefixReview       = "rev"
	PrefixCart         = "cart"
	PrefixCartLine     = "line"
	PrefixOrder        = "ord"
	PrefixOrderLine    = "oline"
	PrefixOrderEvent   = "oevt"
	PrefixFulfillment  = "ful"
	PrefixReturn       = "ret"
	PrefixPayment      = "pay"
	PrefixTransaction  = "ptx"
	PrefixNotification = "ntf"
	PrefixDelivery     = "dlv"
	PrefixPromotion    = "promo"

	PrefixWebhookEndpoint = "whe"
	PrefixWebhookDelivery = "whd"
)

// crockford is the alphabet of the suffix of a TypeID.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

const suffixSize = 26

// ErrID is what reading a text that is no id gives.
var ErrID = errors.New("not an id")

// ID writes an id as a TypeID: the prefix, an underscore and 26 characters of base 32.
func ID(prefix string, id uuid.UUID) string {
	buf := make([]byte, 0, len(prefix)+1+suffixSize)
	buf = append(append(buf, prefix...), '_')
	// 128 bits in 26 groups of 5, the first of which has 3 bits only.
	hi, lo := be64(id[:8]), be64(id[8:])
	for shift := 125; shift >= 0; shift -= 5 {
		buf = append(buf, crockford[bits5(hi, lo, shift)])
	}
	return string(buf)
}

func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// bits5 gives five bits of hi:lo from the bit at shift on.
func bits5(hi, lo uint64, shift int) byte {
	if shift >= 64 {
		return byte(hi>>(shift-64)) & 31
	}
	return byte(lo>>shift|hi<<(64-shift)) & 31
}

// ParseID reads an id of the type with the prefix; it fails with [ErrID] for any other text.
func ParseID(prefix, text string) (uuid.UUID, error) {
	suffix, ok := strings.CutPrefix(text, prefix+"_")
	if !ok || len(suffix) != suffixSize || suffix[0] > '7' {
		return uuid.Nil, ErrID
	}
	var hi, lo uint64
	for i := range suffixSize {
		v := strings.IndexByte(crockford, suffix[i])
		if v < 0 {
			return uuid.Nil, ErrID
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	var id uuid.UUID
	for i := range 8 {
		id[i] = byte(hi >> (56 - 8*i))
		id[8+i] = byte(lo >> (56 - 8*i))
	}
	return id, nil
}

// Prefix gives the part of a TypeID before its last underscore, or "".
func Prefix(text string) string {
	i := strings.LastIndexByte(text, '_')
	if i < 0 {
		return ""
	}
	return text[:i]
}
