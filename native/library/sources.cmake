set(SDA_LIBRARY_SOURCES
  native/library/file_identity.cc
  native/library/find_text.cc
  native/library/folder_lock.cc
  native/library/index_file.cc
  native/library/index_scanner.cc
  native/library/rename.cc
)
