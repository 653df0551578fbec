@0x84d573f3f81a92bb;
# Annotations that the tools of idl/codegen understand.

annotation secret @0x8085439449f8282a (field) :Void;
# The value is never shown or logged: traces and the shell print <secret> in its place.
