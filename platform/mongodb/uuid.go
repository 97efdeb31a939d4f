package mongodb

import (
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
)

var uuidType = reflect.TypeFor[uuid.UUID]()

// NewRegistry returns the driver's default BSON registry, with uuid.UUID stored
// as binary of subtype 4. Pointers to and slices of UUIDs follow from it; a nil
// pointer is null.
func NewRegistry() *bson.Registry {
	r := bson.NewRegistry()
	r.RegisterTypeEncoder(uuidType, bson.ValueEncoderFunc(encodeUUID))
	r.RegisterTypeDecoder(uuidType, bson.ValueDecoderFunc(decodeUUID))
	return r
}

func encodeUUID(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
	if !v.IsValid() || v.Type() != uuidType {
		return bson.ValueEncoderError{Name: "encodeUUID", Types: []reflect.Type{uuidType}, Received: v}
	}
	id := v.Interface().(uuid.UUID)
	return w.WriteBinaryWithSubtype(id[:], bson.TypeBinaryUUID)
}

func decodeUUID(_ bson.DecodeContext, r bson.ValueReader, v reflect.Value) error {
	if !v.CanSet() || v.Type() != uuidType {
		return bson.ValueDecoderError{Name: "decodeUUID", Types: []reflect.Type{uuidType}, Received: v}
	}
	switch r.Type() {
	case bson.TypeNull:
		v.SetZero()
		return r.ReadNull()
	case bson.TypeBinary:
		data, subtype, err := r.ReadBinary()
		if err != nil {
			return err
		}
		if subtype != bson.TypeBinaryUUID {
			return fmt.Errorf("mongodb: cannot decode binary of subtype %d into a UUID", subtype)
		}
		id, err := uuid.FromBytes(data)
		if err != nil {
			return fmt.Errorf("mongodb: cannot decode %d bytes into a UUID", len(data))
		}
		v.Set(reflect.ValueOf(id))
		return nil
	default:
		return fmt.Errorf("mongodb: cannot decode %s into a UUID", r.Type())
	}
}
