# `cmake --install`: the compiler, the runtime and its header.
include(GNUInstallDirs)
install(TARGETS reformerc reformer_rt libreformerc
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES runtime/reformer_rt.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
