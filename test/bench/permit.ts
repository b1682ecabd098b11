/** The reply of the services that permit everybody: sixty bytes of JSON, for the mapping `rest`. */
export const PERMIT = '{"allowed":true,"reason":"known sender","ttl":60,"id":12345}';
