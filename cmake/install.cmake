# `cmake --install`: the compiler; the library with its header and pkg-config file; the runtime and its headers.
include(GNUInstallDirs)
install(TARGETS reformerc reformer_rt
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES runtime/reformer_rt.h runtime/reformer_generate.h compiler/reformerc.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${public_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS reformerc_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_BINARY_DIR}/reformerc.pc ${PROJECT_BINARY_DIR}/reformerc-static.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
