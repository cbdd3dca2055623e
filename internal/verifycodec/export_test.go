package verifycodec

// AppendTime writes a time in milliseconds.
var AppendTime = appendTime
