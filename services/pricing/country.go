package pricing

import "golang.org/x/text/language"

// KnownCountry reports whether a code is a country's of ISO 3166-1, in capitals.
func KnownCountry(code string) bool {
	if len(code) != 2 {
		return false
	}
	region, err := language.ParseRegion(code)
	return err == nil && region.IsCountry() && region.String() == code
}
