# Whether a version file takes the version that is asked for: cmake -DPACKAGE_FIND_VERSION=... -DFILE=... -P this.
include(${FILE})
message("${PACKAGE_VERSION_COMPATIBLE}")
